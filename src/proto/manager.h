/*
 * The orders that ss-manager takes, one datagram each: "add: {JSON}", "ping".
 * Bytes in, an order out; ports in, the bytes of an answer out. No sockets here, and
 * nothing is done: server/manager.c does (docs/wire-formats.md).
 */
#ifndef GATUN_PROTO_MANAGER_H
#define GATUN_PROTO_MANAGER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Longest order that is read, and longest answer in one datagram. */
#define MANAGER_ORDER_MAX 65536
#define MANAGER_ANSWER_MAX 32768

enum manager_command { MANAGER_ADD, MANAGER_REMOVE, MANAGER_LIST, MANAGER_PING, MANAGER_STAT };

struct manager_order {
	enum manager_command command;
	uint16_t port; /* of add and remove */
	json_t *body;  /* of add: an object, ours to release; else NULL */
};

/* 0; -ENOMSG: no such command, which nobody answers; -EINVAL: a command without what it
 * needs (`command` is set). The body may hold a password. */
int manager_read(const uint8_t *data, size_t len, struct manager_order *out);
void manager_order_free(struct manager_order *);

struct manager_port {
	uint16_t port;
	const char *method;
	uint64_t bytes; /* both ways */
};
/*
 * One datagram of an answer with ports[*next] and as many after it as fit in `size`
 * (at least 128), which moves *next on. Each is complete in itself; begin with 0 and
 * call it until *next is n, once at least. Returns its length.
 */
size_t manager_write_list(const struct manager_port *ports, int n, int *next, char *out, size_t size);
size_t manager_write_ping(const struct manager_port *ports, int n, int *next, char *out, size_t size);

#endif
