/* What `gatun up` is told: its lists, item by item, and whether all of it fits together. */
#ifndef GATUN_CONF_UP_H
#define GATUN_CONF_UP_H

#include <stdbool.h>

#include "conf/assign.h"

/* Is it a list, which grows by an item with each up_assign_item()? */
bool up_is_list(const struct option_row *);
/* Adds one item to the row's list. False after it said what is wrong with it. */
bool up_assign_item(const struct assignment *, const struct option_row *, const struct option_value *);
/* Empties the row's list: what comes now stands in place of it. */
void up_clear_list(struct config *, const struct option_row *);
/* A row of OPTION_PREFIX. */
bool up_assign_prefix(const struct assignment *, const struct option_row *, const struct option_value *);

/* Before the servers are checked: own sockets have our mark, names are past any stub. */
void up_take_marks(struct config *, struct problems *);
/* After all options: sorts the lists and says what does not go together. `strict`: the command
 * is `up` itself, and not one that only reads the file. */
void up_check(struct config *, bool strict, struct problems *);
/* Of what a running `up` cannot change: the keys that differ, with commas, in text. False: none. */
bool up_fixed_differs(const struct config_up *, const struct config_up *, char *text, size_t size);
void up_free(struct config_up *);

/* "tun", "tproxy", "redirect". */
const char *up_mode_name(enum config_up_mode);

#endif
