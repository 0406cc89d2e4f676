/* Why a flow ended. One word, the same in log, metric, status and test. */
#ifndef GATUN_IO_FLOW_END_H
#define GATUN_IO_FLOW_END_H

enum flow_end {
	END_DONE,	 /* both directions ended in order (FIN and FIN) */
	END_CLIENT_RESET, /* the client side reset it */
	END_REMOTE_RESET, /* the remote side reset it */
	END_REFUSED,	 /* ECONNREFUSED while connecting */
	END_UNREACHABLE, /* EHOSTUNREACH while connecting */
	END_NET_UNREACHABLE, /* ENETUNREACH while connecting */
	END_CONNECT_TIMEOUT, /* nobody answered the connect */
	END_NAME,	 /* the name did not resolve */
	END_DENIED,	 /* an ACL, or a local target without --allow-local */
	END_NO_REPLY,	 /* the Shadowsocks server closed before its first byte */
	END_TRUNCATED,	 /* EOF inside a chunk or a header */
	END_FORGED,	 /* a tag did not verify: wrong key or method, or tampering */
	END_REPLAY,	 /* a salt or packet id was seen before */
	END_CLOCK,	 /* SIP022 timestamp off by more than 30 s */
	END_PROTOCOL,	 /* a well-sealed message that means nothing */
	END_IDLE,	 /* an idle limit */
	END_EVICTED,	 /* the table was full and this was the least recently used */
	END_LIMIT,	 /* a cap on flows, descriptors or memory */
	END_REMOVED,	 /* its user or its port was taken away */
	END_KILLED,	 /* `gatun status kill flow` ended it */
	END_ADDRESS_GONE, /* the address of ours that it went from is no more */
	END_LOOP,	 /* it was our own, come back to us */
	END_SHUTDOWN,	 /* gatun is stopping */
	END_COUNT
};

/* "done", "client-reset", ... Never NULL. */
const char *flow_end_name(enum flow_end why);
/* The word for an errno of connect(2) or of an established socket. */
enum flow_end flow_end_of_connect(int err);
/* True where the peer must see a graceful FIN; false where it must see a
 * reset (or, before the handshake, RST or ICMP as the word says). */
static inline int flow_end_graceful(enum flow_end why) { return why == END_DONE; }

#endif
