/*
 * A page of random bytes from getrandom(2), handed out front to back and
 * erased as it goes. The page is wiped by the kernel in a forked child
 * (MADV_WIPEONFORK): its count then reads 0, so the child draws its own and
 * never repeats the parent's salts.
 */
#include "crypto/random.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define BATCH 2048

struct page {
	uint32_t left; /* at the end of bytes; 0 in a fresh or wiped page */
	uint8_t bytes[BATCH];
};

static struct page *page;

static void draw(uint8_t *out, size_t len)
{
	while (len) {
		ssize_t got = getrandom(out, len, 0);

		if (got < 0 && errno != EINTR)
			abort(); /* without randomness no salt may leave */
		if (got > 0) {
			out += got;
			len -= (size_t)got;
		}
	}
}

/* False: no page; the caller draws from the kernel each time. */
static bool page_ready(void)
{
	void *p;

	if (page)
		return true;
	p = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	if (madvise(p, sizeof(*page), MADV_WIPEONFORK) < 0) {
		munmap(p, sizeof(*page));
		return false;
	}
	madvise(p, sizeof(*page), MADV_DONTDUMP);
	page = p;
	return true;
}

void random_bytes(void *out, size_t len)
{
	uint8_t *from;

	if (len > BATCH / 4 || !page_ready()) {
		draw(out, len);
		return;
	}
	if (page->left < len) {
		draw(page->bytes, BATCH);
		page->left = BATCH;
	}
	from = page->bytes + BATCH - page->left;
	memcpy(out, from, len);
	memset(from, 0, len);
	page->left -= (uint32_t)len;
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

/* Numbers at the end that would favour some results are drawn again. */
uint32_t random_below(uint32_t bound)
{
	uint32_t v, rest = (uint32_t)-bound % bound;

	do
		random_bytes(&v, sizeof(v));
	while (v < rest);
	return v % bound;
}
