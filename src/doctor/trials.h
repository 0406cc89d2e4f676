/* The trials and looks of doctor.c, and how a trial is kept apart. Nobody else includes it. */
#ifndef GATUN_DOCTOR_TRIALS_H
#define GATUN_DOCTOR_TRIALS_H

#include "doctor/doctor.h"
#include "gate/gate.h"

#define DOCTOR_PORT 6761 /* stands for the one that `up` would listen on */

struct doctor_patient {
	const struct config *config;
	bool with_servers;
	bool root; /* may change this network: then trials need no user namespace */
};

typedef void doctor_trial(const struct doctor_patient *, struct doctor_report *);

/* Runs the trial in a process with a network and a mount namespace of its own, its findings being
 * added to the report; ends it after 20 s. -errno: it could not be begun, nothing was added. */
int doctor_try_apart(const struct doctor_patient *, doctor_trial *, struct doctor_report *);

/* Does it show a time before this program was written? */
bool doctor_clock_is_unset(void);

/* A network with a way out that nobody is at the end of, and what stands in it. */
struct doctor_carrier {
	int tun;      /* or -1 */
	int families; /* 1: IPv4 alone */
};
/* In the network namespace of a trial, once. 0 or -errno; to be ended in any case. */
int doctor_carry_network(struct doctor_carrier *);
void doctor_carry_end(struct doctor_carrier *);
/* With the gate of the plan (TPROXY, REDIRECT) built there: does traffic come to its port?
 * 0, or -errno with a sentence. */
int doctor_carry(const struct doctor_carrier *, const struct gate_plan *, char *why, size_t size);

/* The way to a server of the config. */
struct server_way {
	bool stands; /* a connection was made, and its password may be tried */
	struct addr at;
	struct socket_rules rules; /* of connections to it */
};
/* Of the config's servers: is who has the key welcome, and how do the clocks stand? */
void doctor_look_welcome(const struct doctor_patient *, const struct server_way *, struct doctor_report *);

/* trials: what is made, and gone again */
doctor_trial doctor_try_namespaces, doctor_try_device, doctor_try_gate;
/* looks: what is read */
doctor_trial doctor_look_rights, doctor_look_descriptors, doctor_look_clock, doctor_look_names, doctor_look_forwarding;
doctor_trial doctor_look_rules, doctor_look_servers;

#endif
