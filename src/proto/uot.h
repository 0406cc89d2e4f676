/*
 * UDP over TCP as sing-box speaks it (UoT, versions 1 and 2): datagrams as
 * frames of a proxied TCP stream to a domain that does not exist. Bytes in,
 * bytes out; who has the stream is not known here.
 *
 *	v2	request ‖ frame ‖ frame ...	to sp.v2.udp-over-tcp.arpa
 *	v1	frame ‖ frame ...		to sp.udp-over-tcp.arpa
 *
 *	request	isConnect u8 ‖ address (as SOCKS5 writes it)
 *	frame	[address (types 0, 1, 2) ‖] length u16 ‖ data
 *
 * With isConnect all frames of both directions belong to the request's address
 * and carry none.
 */
#ifndef GATUN_PROTO_UOT_H
#define GATUN_PROTO_UOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/ss_addr.h"

/* 1 or 2 where the target is one of the two domains; else 0. */
int uot_version(const struct target *t);
/* What a client of version 2 asks its server for. */
void uot_target(struct target *out);

#define UOT_REQUEST_MAX (1 + SS_ADDR_MAX)
size_t uot_put_request(bool connected, const struct target *t, uint8_t *out);
/* Returns the bytes consumed, 0 if more are needed, -EPROTO if it is none. */
ssize_t uot_read_request(const uint8_t *in, size_t len, bool *connected, struct target *out);

/* A frame's head: all of it but the data. */
#define UOT_HEAD_MAX (SS_ADDR_MAX + 2)
/* t is not read where the stream is connected. */
size_t uot_head_len(bool connected, const struct target *t);
size_t uot_put_head(bool connected, const struct target *t, uint16_t data_len, uint8_t *out);
/* As uot_read_request; *out is left alone where the stream is connected. */
ssize_t uot_read_head(bool connected, const uint8_t *in, size_t len, struct target *out, uint16_t *data_len);

#endif
