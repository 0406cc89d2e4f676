/*
 * Word of nft tables that are removed in this network namespace, by whomever: a
 * firewall's reload begins with `flush ruleset`, and says nothing to those who watch
 * links and routes (sys/netwatch.h). Whose table it was, and whether it is there
 * again by now, is for others to ask. Needs CAP_NET_ADMIN when it is opened.
 */
#ifndef GATUN_SYS_NFTWATCH_H
#define GATUN_SYS_NFTWATCH_H

#include <stdbool.h>
#include <stddef.h>

/* From the loop, NFTWATCH_QUIET_MS after a removal: a reload has often more than one. */
#define NFTWATCH_QUIET_MS 10
typedef void nftwatch_removed(void *owner);

struct nftwatch;
/* NULL: *err is -errno. */
struct nftwatch *nftwatch_open(nftwatch_removed *, void *owner, int *err);
void nftwatch_close(struct nftwatch *); /* NULL is none */

/* Does one of these messages (a datagram from the kernel) say that a table is gone? What is cut
 * short or makes no sense may say so. No state. */
bool nftwatch_says_removed(const void *messages, size_t len);

#endif
