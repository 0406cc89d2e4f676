/*
 * `gatun doctor`: can this machine do what gatun does? Every prerequisite is tried
 * for real, in namespaces that end with the trial, and not read off a version;
 * nothing of the machine is changed.
 *
 * It does not know how a finding is printed.
 */
#ifndef GATUN_DOCTOR_DOCTOR_H
#define GATUN_DOCTOR_DOCTOR_H

#include "conf/config.h"

#define DOCTOR_TEXT 400
#define DOCTOR_MEND 240
#define DOCTOR_FINDINGS 64

enum doctor_word { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_BAD };

/* What a finding that is bad stands in the way of. */
enum doctor_victim { DOCTOR_OF_UP = 1, DOCTOR_OF_RUN = 2 };

struct doctor_finding {
	enum doctor_word word;
	unsigned victims;
	char text[DOCTOR_TEXT]; /* a sentence */
	char mend[DOCTOR_MEND]; /* the command that changes it; empty: none, or the sentence has it */
};

struct doctor_report {
	struct doctor_finding items[DOCTOR_FINDINGS];
	int n;
};

/* A finding more; beyond DOCTOR_FINDINGS it is dropped, or, if it is bad, takes the place of one that is not.
 * mend: or NULL. */
void doctor_say(struct doctor_report *, enum doctor_word, unsigned victims, const char *mend, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* config: what `up` would be asked for. with_servers: it names servers, which are looked at too:
 * connections to each, by which its resolver is asked for something. Takes some seconds. Sorted: the bad first. */
void doctor_examine(const struct config *, bool with_servers, struct doctor_report *);
/* Would it fail? */
bool doctor_stops(const struct doctor_report *, enum doctor_victim);

#endif
