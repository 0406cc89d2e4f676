/* What `up` is told (conf/) as what the gate is built from. */
#ifndef GATUN_ROLES_UP_PLAN_H
#define GATUN_ROLES_UP_PLAN_H

#include "conf/config.h"
#include "gate/gate.h"

struct up_plan {
	struct gate_plan gate;
	/* what it points to */
	struct gate_prefix *routes, *excludes;
	struct gate_range *uids;
};

/* The gateway's own addresses behind the TUN, for which it answers ICMP; v4 and v6. */
void up_plan_own_addresses(struct addr own[2]);
/* Borrows the config. Ports that are to be any are 0 still, and so is the MTU. 0 or -ENOMEM, logged. */
int up_plan_make(struct up_plan *, const struct config *);
/* After fake_names_open(), or, for rules to be printed, of the config alone: fake ranges are no link's. Where only some
 * routes are taken, names behind them are fake addresses still. */
void up_plan_add_fakes(struct up_plan *, const struct config *);
/* Then: what is excluded is so but for fake addresses. -EINVAL, logged: nothing else is; or -ENOMEM. */
int up_plan_keep_fakes(struct up_plan *, const struct config *);
/* The plan of another config for the gate that stands: what a running `up` cannot change is as in `now`. Borrows the
 * config. 0 or -errno, logged. */
int up_plan_change(struct up_plan *fresh, const struct up_plan *now, const struct config *);
/* Is there nothing to change? Of two plans for one gate. */
bool up_plan_same(const struct up_plan *, const struct up_plan *);
void up_plan_free(struct up_plan *);

#endif
