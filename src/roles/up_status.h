/* What the status tells of `up`: what the kernel has been told. */
#ifndef GATUN_ROLES_UP_STATUS_H
#define GATUN_ROLES_UP_STATUS_H

#include "gate/gate.h"

/* Borrowed until engine_status_remove() or the engine's end. Where the guard's drops can be
 * read: in the process that made the gate. */
void up_status_add_gate(struct gate_plan *);

#endif
