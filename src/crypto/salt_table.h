/*
 * SIP004's salts. They carry no time, so one that was seen may not come again for as
 * long as it can be remembered: the table holds a fixed number, and beyond it a new
 * one takes the place of another. Anonymous, it lasts as long as the processes that
 * share it; in a directory it outlives them, and the machine's restart.
 *
 * Salts enter only after what they came with was authentic, so nobody without the
 * key can fill it. See salt_table.c.
 */
#ifndef GATUN_CRYPTO_SALT_TABLE_H
#define GATUN_CRYPTO_SALT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SALT_TABLE_FILE "sip004-salts"

struct salt_table;
/* About 130,000 salts in memory, 1 MiB when they are there. shared: with children
 * of this process. NULL: no memory. */
struct salt_table *salt_table_new(bool shared);
/* About a million salts in the file SALT_TABLE_FILE, 8 MiB, in a directory that
 * exists or can be made. Several processes may have it open. *damaged: there was
 * a file that is none of ours any more, and it was begun anew. NULL: *err is an
 * errno. */
struct salt_table *salt_table_open(const char *directory, bool *damaged, int *err);
/* NULL is nothing. */
void salt_table_free(struct salt_table *);

/* False: it was there. True: it is new, and there now. */
bool salt_table_take(struct salt_table *, const uint8_t *salt, size_t len);

#endif
