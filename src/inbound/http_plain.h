/* One plain HTTP request of a guest and its response: see http_plain.c. */
#ifndef GATUN_INBOUND_HTTP_PLAIN_H
#define GATUN_INBOUND_HTTP_PLAIN_H

#include "inbound/mixed_guest.h"
#include "proto/http_connect.h"

/* The guest leaves ASKING; its stream will carry this exchange. 0 or -ENOMEM. */
int http_plain_start(struct guest *, const struct http_head *, const uint8_t *in, size_t len);

#endif
