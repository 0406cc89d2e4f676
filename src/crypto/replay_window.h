/* A sliding window over packet ids: WireGuard's bitmap, 8,128 wide. Checking is
 * apart from accepting: ids enter only after the packet is wholly validated. */
#ifndef GATUN_CRYPTO_REPLAY_WINDOW_H
#define GATUN_CRYPTO_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WINDOW_BLOCKS 128
#define REPLAY_WINDOW_SIZE ((REPLAY_WINDOW_BLOCKS - 1) * 64)

/* All zero is a fresh window; id 0 is valid on it. */
struct replay_window {
	uint64_t last;
	uint64_t ring[REPLAY_WINDOW_BLOCKS];
};

/* Would `id` be accepted? Changes nothing. */
bool replay_window_check(const struct replay_window *w, uint64_t id);
/* Accepts `id`, once: false if it was seen or is too old. */
bool replay_window_accept(struct replay_window *w, uint64_t id);
/* Makes it one that has seen every id up to `last`. */
void replay_window_close(struct replay_window *w, uint64_t last);

#endif
