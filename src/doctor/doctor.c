/*
 * The list of what is looked at, in the order in which `up` would need it, and
 * the report. A trial that needs namespaces runs apart (apart.c); a look reads.
 */
#include "doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "base/err.h"
#include "doctor/trials.h"

static const struct examination {
	doctor_trial *trial;
	bool apart;
	const char *what; /* of what no trial could be made */
} examinations[] = {
	{ doctor_look_rights, false, NULL },
	{ doctor_try_namespaces, false, NULL },
	{ doctor_try_device, true, "TUN devices" },
	{ doctor_try_gate, true, "routes, rules and nft tables" },
	{ doctor_look_rules, false, NULL },
	{ doctor_look_forwarding, false, NULL },
	{ doctor_look_descriptors, false, NULL },
	{ doctor_look_names, false, NULL },
	{ doctor_look_clock, false, NULL },
	{ doctor_look_servers, false, NULL },
};

/* Of a report that is full (many servers have much to say) what is bad takes the last place that is not; NULL: none. */
static struct doctor_finding *place_for(struct doctor_report *r, enum doctor_word word)
{
	if (r->n < DOCTOR_FINDINGS)
		return &r->items[r->n++];
	for (int i = r->n - 1; word == DOCTOR_BAD && i >= 0; i--)
		if (r->items[i].word != DOCTOR_BAD)
			return &r->items[i];
	return NULL;
}

void doctor_say(struct doctor_report *r, enum doctor_word word, unsigned victims, const char *mend, const char *fmt, ...)
{
	struct doctor_finding *f = place_for(r, word);
	va_list args;

	if (!f)
		return;
	*f = (struct doctor_finding){ .word = word, .victims = victims };
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	snprintf(f->mend, sizeof(f->mend), "%s", mend ? mend : "");
}

static bool may_change_network(void)
{
	cap_flag_value_t admin = CAP_CLEAR, sys = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	cap_get_flag(caps, CAP_NET_ADMIN, CAP_EFFECTIVE, &admin);
	cap_get_flag(caps, CAP_SYS_ADMIN, CAP_EFFECTIVE, &sys);
	cap_free(caps);
	return admin == CAP_SET && sys == CAP_SET;
}

static void examine(const struct doctor_patient *p, const struct examination *e, struct doctor_report *r)
{
	int err;

	if (!e->apart) {
		e->trial(p, r);
		return;
	}
	err = doctor_try_apart(p, e->trial, r);
	if (err)
		doctor_say(r, DOCTOR_NOTE, 0, NULL, "%s could not be tried in namespaces of their own err=%s", e->what, err_name(err));
}

/* Stable: within a word the order of the examinations stays. */
static void sort(struct doctor_report *r)
{
	struct doctor_report sorted = { .n = 0 };

	for (int word = DOCTOR_BAD; word >= DOCTOR_OK; word--)
		for (int i = 0; i < r->n; i++)
			if (r->items[i].word == (enum doctor_word)word)
				sorted.items[sorted.n++] = r->items[i];
	*r = sorted;
}

void doctor_examine(const struct config *config, bool with_servers, struct doctor_report *r)
{
	struct doctor_patient p = { .config = config, .with_servers = with_servers, .root = may_change_network() };

	r->n = 0;
	for (size_t i = 0; i < sizeof(examinations) / sizeof(examinations[0]); i++)
		examine(&p, &examinations[i], r);
	sort(r);
}

bool doctor_stops(const struct doctor_report *r, enum doctor_victim victim)
{
	for (int i = 0; i < r->n; i++)
		if (r->items[i].word == DOCTOR_BAD && r->items[i].victims & victim)
			return true;
	return false;
}
