/*
 * DNS questions by c-ares, on the loop. Made at the first question, made anew
 * when /etc/resolv.conf changes. It knows no cache and no askers but one per
 * question.
 */
#ifndef GATUN_RESOLVE_CHANNEL_H
#define GATUN_RESOLVE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/socket_rules.h"

/* All as in resolve.h, rules are copied; -EINVAL if they cannot be read so. No socket yet. */
int resolve_channel_init(const char *servers, bool captured, const struct socket_rules *rules);
/* The same for a change: nothing has changed after -EINVAL, nor before the second. That says whether
 * questions go to others now, or by another way. */
int resolve_channel_prepare(const char *servers, bool captured, const struct socket_rules *rules);
bool resolve_channel_apply(void);
void resolve_channel_free(void); /* pending questions are forgotten */

/* The way to the servers is another one: questions from now on leave by new sockets. */
void resolve_channel_renew(void);

/* answered: a server said yes or no; else nobody could be asked. reply: the
 * message (also a negative one), borrowed for the call; len 0 if there is
 * none to show. */
typedef void resolve_channel_done(void *owner, bool answered, const uint8_t *reply, size_t len);
/* Asks for class IN; a name with fewer dots than resolv.conf's ndots goes
 * through its search list, others are absolute. `done` comes exactly once;
 * unlike elsewhere it MAY come before this returns (c-ares does so). */
void resolve_channel_ask(const char *name, uint16_t type, resolve_channel_done *done, void *owner);

#endif
