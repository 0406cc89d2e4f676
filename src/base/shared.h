/*
 * Memory that processes made by fork() have in common, and the lock for it. The
 * lock survives its holder: who takes it after a holder was killed is told so,
 * puts right what may be half written, and goes on.
 */
#ifndef GATUN_BASE_SHARED_H
#define GATUN_BASE_SHARED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed, page-aligned, taken up page by page as it is written, and never part
 * of a core dump. Shared with children, or this process's own. NULL: no memory. */
void *shared_map(size_t size, bool with_children);
void shared_unmap(void *at, size_t size);
/* Gives pages back: they read as zeros then. at and size are multiples of a page. */
void shared_drop(void *at, size_t size, bool with_children);

/* lock lies in shared memory. 0 or -errno. */
int shared_lock_init(pthread_mutex_t *lock);
/* True: whoever had it last died with it. */
bool shared_lock(pthread_mutex_t *lock);
void shared_unlock(pthread_mutex_t *lock);

#endif
