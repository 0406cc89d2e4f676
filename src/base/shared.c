/* Anonymous mappings and robust mutexes; see shared.h. */
#include "base/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

void *shared_map(size_t size, bool with_children)
{
	int flags = (with_children ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size, MADV_DONTDUMP);
	return at;
}

void shared_unmap(void *at, size_t size)
{
	munmap(at, size);
}

void shared_drop(void *at, size_t size, bool with_children)
{
	madvise(at, size, with_children ? MADV_REMOVE : MADV_DONTNEED);
}

int shared_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t a;
	int err = pthread_mutexattr_init(&a);

	if (err)
		return -err;
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(lock, &a);
	pthread_mutexattr_destroy(&a);
	return -err;
}

bool shared_lock(pthread_mutex_t *lock)
{
	int err = pthread_mutex_lock(lock);

	if (err && err != EOWNERDEAD)
		abort(); /* nothing but a broken lock is left to be said */
	return err == EOWNERDEAD && pthread_mutex_consistent(lock) == 0;
}

void shared_unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}
