/*
 * See status_watch.h. On a terminal an instance that goes away is waited for, and the next
 * one is shown; elsewhere its end is the end.
 */
#include "cli/status_watch.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "cli/instance.h"
#include "cli/terminal.h"
#include "ctl/ask.h"
#include "ctl/screen.h"

#define PERIOD_MS 1000

struct watch {
	const struct command *self;
	const char *control; /* or NULL */
	char *path;	     /* whom we ask; NULL: nobody yet */
	json_t *now, *before, *flows;
	uint64_t now_ms, before_ms;
	const char *trouble;
};

/* ---- asking ---- */

static json_t *ask(struct watch *w, json_t *request)
{
	json_t *answer = NULL;
	int err = ctl_ask(w->path, request, &answer);

	json_decref(request);
	if (err)
		w->trouble = ctl_ask_sentence(err);
	else if (json_object_get(answer, "error"))
		w->trouble = "it does not tell us";
	else
		return answer;
	json_decref(answer);
	return NULL;
}

static bool find(struct watch *w)
{
	int n = 1;

	if (!w->path)
		w->path = w->control ? strdup(w->control) : instance_find(&n);
	if (!w->path)
		w->trouble = n ? "several run: say which with --control" : "nothing runs";
	return w->path;
}

static void forget(struct watch *w)
{
	json_decref(w->now);
	json_decref(w->before);
	json_decref(w->flows);
	free(w->path);
	w->now = w->before = w->flows = NULL;
	w->path = NULL;
}

/* A second later: what was now is before. */
static void look(struct watch *w)
{
	json_t *fresh = find(w) ? ask(w, json_pack("{s:s}", "request", "status")) : NULL;

	if (!fresh) {
		forget(w);
		return;
	}
	json_decref(w->before);
	json_decref(w->flows);
	w->before = w->now;
	w->before_ms = w->now_ms;
	w->now = fresh;
	w->now_ms = clock_ms();
	w->flows = ask(w, json_pack("{s:s,s:s,s:i}", "request", "flows", "sort", "rate", "limit", SCREEN_FLOWS));
}

/* Counters begin anew with the process. */
static const json_t *comparable(const struct watch *w)
{
	return json_equal(json_object_get(w->now, "pid"), json_object_get(w->before, "pid")) ? w->before : NULL;
}

static struct screen screen_of(const struct watch *w)
{
	return (struct screen){
		.now = w->now,
		.before = comparable(w),
		.flows = w->flows,
		.elapsed_ms = w->now_ms - w->before_ms,
		.trouble = w->trouble,
	};
}

/* ---- on a terminal ---- */

static void draw(const struct watch *w, bool color)
{
	struct screen s = screen_of(w);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		die(1, "out of memory");
	terminal_size(&s.columns, &s.rows);
	s.color = color;
	screen_print(f, &s);
	fclose(f);
	terminal_draw(text, len);
	free(text);
}

/* Until it is time again. True: enough. */
static bool wait_and_redraw(const struct watch *w, uint64_t until, bool color)
{
	uint64_t now;

	while ((now = clock_ms()) < until) {
		int key = terminal_wait_key((int)(until - now));

		if (key == 'q' || key == 'Q')
			return true;
		if (key < 0)
			draw(w, color);
	}
	return false;
}

static int watch_on_terminal(struct watch *w)
{
	bool color = terminal_wants_color();
	int err = terminal_enter();
	uint64_t next = clock_ms();

	if (err)
		die(1, "cannot use the terminal: %s", err_name(err));
	do {
		look(w);
		draw(w, color);
		next = next + PERIOD_MS > clock_ms() ? next + PERIOD_MS : clock_ms();
	} while (!wait_and_redraw(w, next, color));
	terminal_leave();
	return 0;
}

/* ---- elsewhere ---- */

static void print_line(const struct watch *w)
{
	struct screen s = screen_of(w);
	time_t now = time(NULL);
	struct tm local;
	char clock[16] = "";

	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	screen_print_line(stdout, &s, clock);
	if (fflush(stdout) != 0)
		die(1, "cannot write to standard output");
}

/* The first look has nothing to compare with, and says nothing. */
static int watch_in_lines(struct watch *w)
{
	const struct timespec period = { .tv_sec = PERIOD_MS / 1000 };

	for (look(w); w->now; look(w)) {
		if (w->before)
			print_line(w);
		nanosleep(&period, NULL);
	}
	fprintf(stderr, "gatun status: %s\n", w->trouble);
	return 1;
}

int status_watch(const struct command *self, const char *control)
{
	struct watch w = { .self = self, .control = control };
	int code = terminal_can_draw() ? watch_on_terminal(&w) : watch_in_lines(&w);

	forget(&w);
	return code;
}
