/*
 * The terminal as a screen: the alternate one, without cursor, keys unechoed. What was
 * there before is put back at any end that a program can notice: exit(), Ctrl-C, SIGTERM,
 * a hangup, Ctrl-Z. One per process.
 */
#ifndef GATUN_CLI_TERMINAL_H
#define GATUN_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Is standard output a terminal that can be drawn on? And may it be coloured? */
bool terminal_can_draw(void);
bool terminal_wants_color(void);

/* 0 or -errno. */
int terminal_enter(void);
void terminal_leave(void); /* idempotent */
/* Its size; 80 x 24 where it does not say. */
void terminal_size(int *columns, int *rows);
/* Lines that each end with "\n", at once, and nothing else on the screen. */
void terminal_draw(const char *lines, size_t len);

/* Waits at most so long for a key. Its byte; 0: time is over; -1: the size has changed, or
 * the program goes on after a stop: draw again. */
int terminal_wait_key(int timeout_ms);

#endif
