/*
 * What a running engine tells of itself and what it may be asked: two small
 * registries, of the parts of the status document and of the requests. Whoever
 * has something to tell adds a part; ctl/ asks, and knows none of them.
 *
 * Both are free of sockets: JSON in, JSON out (a worker answers its supervisor
 * by them as the control socket answers a user). Names are borrowed and must
 * live on. engine_end() forgets all of them. docs/status.md describes the
 * document.
 */
#ifndef GATUN_ENGINE_STATUS_H
#define GATUN_ENGINE_STATUS_H

#include <jansson.h>
#include <stdint.h>

/* ---- the document ---- */

/* fn makes the value of the document's member `name`: a new reference, or NULL
 * to leave it out. A second part of the same name replaces the first. */
void engine_status_add(const char *name, json_t *(*fn)(void *owner), void *owner);
/* Forgets the parts and requests of an owner that goes before the engine does. */
void engine_status_remove(const void *owner);
/* "run", "server" or "local"; borrowed. */
void engine_status_set_mode(const char *mode);
/* The whole document, a new reference. NULL: out of memory. */
json_t *engine_status_document(void);

/*
 * Adds `more`, the document of another worker, to `sum`. Numbers add up; what
 * cannot be added stays as it was first (mtu, clock_skew_s), uptime_s is the
 * longest, fake_map the largest (they share one map); elements of arrays are one when
 * their tag, address, port, name and protocol are, else both are kept (workers).
 */
void engine_status_add_up(json_t *sum, json_t *more);

/* ---- requests ---- */

/* Answers {"request": NAME, ...} with a new reference, or NULL (out of memory). */
typedef json_t *engine_request_fn(void *owner, const json_t *request);
void engine_request_add(const char *name, engine_request_fn *fn, void *owner);
/* Never NULL but without memory: who cannot be answered gets {"error": "..."}. */
json_t *engine_request(const json_t *request);
/* Every request goes to fn instead, which answers like engine_request(): a
 * supervisor asks its workers. NULL: no more. */
void engine_request_relay(json_t *(*fn)(const json_t *request));
/* {"error": "..."}, the sentence printed. */
json_t *engine_request_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- for engine/common.c ---- */
void engine_status_begin(void);
void engine_status_end(void);
/* The parts that every engine has: status_parts.c. */
void engine_status_add_common(void);
/* Servers whose UDP goes as it is or in TCP, as works: status_uot.c. */
void engine_status_add_udp_over_tcp(void);
void engine_status_add_plugins(void);

/* A counter as JSON has it. */
static inline json_t *status_number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static inline void status_put(json_t *object, const char *name, uint64_t n)
{
	json_object_set_new(object, name, status_number(n));
}

#endif
