/* What `gatun ciphers` prints: per method the back-end chosen, and its rate. */
#ifndef GATUN_CRYPTO_CIPHERS_H
#define GATUN_CRYPTO_CIPHERS_H

#include <stdbool.h>

#include "crypto/method.h"

struct cipher_info {
	const struct ss_method *method;
	const char *backend;	 /* of the TCP cipher; "none" if no back-end passed its self-test */
	const char *udp_backend; /* differs where the UDP cipher does */
	double small_gbps, large_gbps; /* GB/s sealing 1,400 B and 16 KiB; 0 when not measured */
};

/* Fills `out` for the i-th method; false past the end. bench: measures for
 * about 20 ms each. */
bool crypto_cipher_at(int i, bool bench, struct cipher_info *out);

#endif
