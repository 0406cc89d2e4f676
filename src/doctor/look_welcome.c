/*
 * Do the servers take us for one of their own, and how do the clocks stand?
 *
 * A server with a 2022 method says nothing to who is more than 30 s off, so a
 * wrong clock looks like a wrong password. What tells them apart is a question
 * that bears another time: where the server answers one of those it is the clock,
 * and the answer says by how much, to the second. Tried is what clocks that are
 * wrong are wrong by: a few minutes that they drift, and hours or half hours,
 * where local time was taken for UTC.
 *
 * Servers are asked with the right time first. The search is for those that stay
 * silent while no other has confirmed this machine's clock; two are searched at
 * most, and what one yields the others are asked with.
 *
 * Without an answer there is a guess and no more, because a server says nothing
 * either where the resolver behind it does not answer: unless it is gatun.
 */
#include <stdio.h>
#include <stdlib.h>

#include "doctor/ask.h"
#include "doctor/trials.h"

#define WELCOME_MS 6000	 /* for an answer that comes by way of a resolver */
#define SEARCH_MS 2500	 /* for each ASK_AT_ONCE of the search */
#define SEARCHES 2
#define CLOCK_WINDOW_S 30 /* SIP022 */
#define CLOCK_GOOD_S 5
#define SET_CLOCK "timedatectl set-ntp true"

/* One way and the other; each finds what is 30 s around it. */
#define H(hours) ((int64_t)((hours) * 3600))
static const int64_t offsets[] = {
	50,    100,   150,   200,   250,   300,	   H(1),    H(2),  H(3),  H(4),	 H(5),	H(5.5), H(6), H(7),
	H(8),  H(9),  H(10), H(11), H(12), H(3.5), H(4.5), H(5.75), H(6.5), H(9.5), H(13), H(14), H(24), H(10.5),
};
#define OFFSETS (int)(sizeof(offsets) / sizeof(offsets[0]))

struct welcome {
	const struct doctor_patient *patient;
	const struct server_way *ways;
	struct ask_answer *answers;
	bool *searched;
	bool accepted;	/* somebody answered what bore this machine's time, */
	bool confirmed; /* and had a 2022 method */
	int64_t shift;	/* with which one was found; 0: none */
	int searches;
};

static void ask(struct welcome *w, int i, const int64_t *shifts, int n, int wait_ms)
{
	struct ask a = {
		.server = &w->patient->config->servers[i],
		.at = &w->ways[i].at,
		.rules = &w->ways[i].rules,
		.through = &w->patient->config->dns_upstream,
	};

	doctor_ask(&a, shifts, n, wait_ms, &w->answers[i]);
}

static void search(struct welcome *w, int i)
{
	for (int at = 0; at < 2 * OFFSETS && !w->answers[i].heard; at += ASK_AT_ONCE) {
		int64_t shifts[ASK_AT_ONCE];
		int n = 0;

		for (; n < ASK_AT_ONCE && at + n < 2 * OFFSETS; n++)
			shifts[n] = (at + n) % 2 ? -offsets[(at + n) / 2] : offsets[(at + n) / 2];
		ask(w, i, shifts, n, SEARCH_MS);
	}
	if (w->answers[i].heard)
		w->shift = w->answers[i].shift_s;
}

/* Another time may be what it wants. */
static void insist(struct welcome *w, int i)
{
	if (w->shift) {
		ask(w, i, &w->shift, 1, WELCOME_MS);
	} else if (w->searches++ < SEARCHES && !doctor_clock_is_unset()) {
		w->searched[i] = true;
		search(w, i);
	}
}

/* --- what is said --- */

/* "3600 s (1 h 00 min)" */
static const char *span(int64_t seconds, char *buf, size_t size)
{
	int64_t s = seconds < 0 ? -seconds : seconds;

	if (s < 3600)
		snprintf(buf, size, "%lld s", (long long)s);
	else
		snprintf(buf, size, "%lld s (%lld h %02lld min)", (long long)s, (long long)(s / 3600), (long long)(s / 60 % 60));
	return buf;
}

/* As where a clock shows local time and is read as UTC. */
static bool is_zone(int64_t seconds)
{
	int64_t s = seconds < 0 ? -seconds : seconds, rest = s % 900;

	return s >= 3600 && (rest < 120 || rest > 780);
}

static void say_clock(const struct welcome *w, int i, struct doctor_report *r)
{
	const char *tag = w->patient->config->servers[i].tag;
	int64_t ahead = w->answers[i].ahead_s;
	const char *side = ahead > 0 ? "behind" : "ahead of";
	char by[64];

	span(ahead, by, sizeof(by));
	if (w->answers[i].shift_s)
		doctor_say(r, DOCTOR_BAD, w->accepted ? 0 : DOCTOR_OF_UP | DOCTOR_OF_RUN, SET_CLOCK,
			   "the clock of this machine is %s %s that of server %s, which says nothing to who is more than %d s off%s", by, side,
			   tag, CLOCK_WINDOW_S, is_zone(ahead) ? "; so much is a time zone: local time taken for UTC" : "");
	else if (ahead > CLOCK_GOOD_S || ahead < -CLOCK_GOOD_S)
		doctor_say(r, DOCTOR_NOTE, 0, SET_CLOCK, "the clock of this machine is %s %s that of server %s: with more than %d s it would say nothing",
			   by, side, tag, CLOCK_WINDOW_S);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "server %s accepts method and password, and its clock agrees with this machine's", tag);
}

static void say_silence(const struct welcome *w, int i, struct doctor_report *r)
{
	const struct config_server *s = &w->patient->config->servers[i];
	char through[TARGET_STRLEN];
	const char *clock = !s->method->sip022 ? ""
			    : w->confirmed     ? " (the clock is not: another server has confirmed it)"
			    : w->searched[i]   ? " (clocks that are off by minutes, or by a time zone, were tried)"
					       : ", or this machine's clock is off";

	doctor_say(r, DOCTOR_NOTE, 0, NULL, "server %s says nothing to this method and password: one of them is wrong%s; unless it cannot reach %s, which it was asked for",
		   s->tag, clock, target_format(&w->patient->config->dns_upstream, through));
}

static void say(const struct welcome *w, int i, struct doctor_report *r)
{
	const struct config_server *s = &w->patient->config->servers[i];

	if (!w->answers[i].heard)
		say_silence(w, i, r);
	else if (w->answers[i].has_time)
		say_clock(w, i, r);
	else
		doctor_say(r, DOCTOR_OK, 0, NULL, "server %s accepts method and password", s->tag);
}

static void ask_all(struct welcome *w, int n)
{
	static const int64_t now = 0;

	for (int i = 0; i < n; i++) {
		if (w->ways[i].stands)
			ask(w, i, &now, 1, WELCOME_MS);
		w->accepted |= w->answers[i].heard;
		w->confirmed |= w->answers[i].has_time;
	}
	for (int i = 0; i < n && !w->confirmed; i++)
		if (w->ways[i].stands && !w->answers[i].heard && w->patient->config->servers[i].method->sip022)
			insist(w, i);
}

void doctor_look_welcome(const struct doctor_patient *p, const struct server_way *ways, struct doctor_report *r)
{
	size_t n = (size_t)p->config->n_servers;
	struct welcome w = {
		.patient = p,
		.ways = ways,
		.answers = calloc(n, sizeof(*w.answers)),
		.searched = calloc(n, sizeof(*w.searched)),
	};

	if (w.answers && w.searched) {
		ask_all(&w, (int)n);
		for (int i = 0; i < (int)n; i++)
			if (ways[i].stands)
				say(&w, i, r);
	}
	free(w.answers);
	free(w.searched);
}
