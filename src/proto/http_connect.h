/*
 * HTTP/1 as a proxy sees it, without sockets: heads of requests and responses
 * in, what they ask for and their rewritten form out; and where bodies end.
 *
 * What one peer could read in one way and the next in another is refused, not
 * passed on (RFC 9112 section 11.2, request smuggling): Content-Length together
 * with Transfer-Encoding, more than one Content-Length, a coding that is not
 * exactly "chunked", folded lines, blanks before a colon, bare control bytes.
 */
#ifndef GATUN_PROTO_HTTP_CONNECT_H
#define GATUN_PROTO_HTTP_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "io/flow_end.h"

#define HTTP_HEAD_MAX (16u * 1024) /* bytes of a head, as it came */
#define HTTP_HEAD_OUT_MAX (HTTP_HEAD_MAX + 1024) /* and as it leaves */
#define HTTP_REPLY_MAX 512u

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_text {
	const char *at;
	size_t len;
};

struct http_head {
	bool connect;		/* CONNECT; else an absolute-form request */
	bool is_head;		/* the method is HEAD: its response has no body */
	struct target target;
	struct http_text method, authority, path; /* path: the origin form's, "/..." or "*" or empty */
	struct http_text authorization; /* Proxy-Authorization; len 0: none */
	unsigned status;	/* of a response */
	unsigned minor;		/* HTTP/1.minor */
	bool keep_alive;
	enum http_framing framing;
	uint64_t length;
	size_t lines;		/* where the header lines begin */
};

/* The head's length, 0 if more must come, or minus the status (400, 501) that
 * tells the client why it is refused. `out` points into `in`. */
ssize_t http_read_request(const uint8_t *in, size_t len, struct http_head *out);
/* Likewise of the response to a request (HEAD or not); any failure is negative. */
ssize_t http_read_response(const uint8_t *in, size_t len, bool to_head, struct http_head *out);

/* The same request in origin form, without what is meant for the proxy, with
 * "Connection: close". out holds HTTP_HEAD_OUT_MAX. `in` is the head that was read. */
size_t http_write_request(const struct http_head *, const uint8_t *in, size_t len, uint8_t *out);
size_t http_write_response(const struct http_head *, const uint8_t *in, size_t len, bool keep_alive, uint8_t *out);

/* A whole reply of the proxy's own, which closes; out holds HTTP_REPLY_MAX. 200 is CONNECT's. */
size_t http_write_reply(unsigned status, uint8_t *out);
/* The status that tells why no connection came about. */
unsigned http_status_of(enum flow_end why);

/* Name and password of "Basic base64": 0, or -EPROTO. They lie in `room` (len bytes at least). */
int http_read_basic(struct http_text authorization, char *room, size_t size, struct http_text *name, struct http_text *password);

/* Where a body ends. Zero but for framing and left (the length). */
struct http_body {
	enum http_framing framing;
	uint64_t left;	/* of the length, or of the chunk */
	uint8_t state, digits;
	bool done;
};
void http_body_init(struct http_body *, enum http_framing, uint64_t length);
/* How many of these bytes belong to it, or -EPROTO; sets done. */
ssize_t http_body_scan(struct http_body *, const uint8_t *in, size_t len);

#endif
