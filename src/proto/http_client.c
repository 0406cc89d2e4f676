/* What a client of CONNECT says; see http_client.h. */
#include "proto/http_client.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define LOGIN_MAX (255u + 1 + 255)

/* "host:port". A name could hold anything, and here a line end would be an injection. */
static int write_authority(const struct target *t, char *out, size_t size)
{
	if (!target_is_name(t)) {
		addr_format(&t->ip, out);
		return 0;
	}
	for (int i = 0; i < t->name_len; i++) {
		unsigned char c = (unsigned char)t->name[i];

		if (c <= 0x20 || c >= 0x7f || strchr(":/?#@[]\\", c))
			return -EINVAL;
	}
	snprintf(out, size, "%s:%u", t->name, target_port(t));
	return 0;
}

static int write_login(const char *user, const char *password, char *out, size_t size)
{
	char plain[LOGIN_MAX + 1], base64[sodium_base64_ENCODED_LEN(LOGIN_MAX, sodium_base64_VARIANT_ORIGINAL)];
	int len = snprintf(plain, sizeof(plain), "%s:%s", user, password);

	if (len < 0 || (size_t)len >= sizeof(plain) || strchr(user, ':'))
		return -EINVAL;
	sodium_bin2base64(base64, sizeof(base64), (const unsigned char *)plain, (size_t)len, sodium_base64_VARIANT_ORIGINAL);
	snprintf(out, size, "Proxy-Authorization: Basic %s\r\n", base64);
	sodium_memzero(plain, sizeof(plain));
	sodium_memzero(base64, sizeof(base64));
	return 0;
}

ssize_t http_write_connect(const struct target *target, const char *user, const char *password, uint8_t *out)
{
	char authority[TARGET_NAME_MAX + 16], login[768] = "";
	int len;

	if (write_authority(target, authority, sizeof(authority)) != 0 ||
	    (user && write_login(user, password, login, sizeof(login)) != 0))
		return -EINVAL;
	len = snprintf((char *)out, HTTP_CONNECT_MAX, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", authority, authority, login);
	sodium_memzero(login, sizeof(login));
	return len < 0 || (size_t)len >= HTTP_CONNECT_MAX ? -EINVAL : len;
}

enum flow_end http_end_of(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
	case 407:
		return END_DENIED;
	case 502:
		return END_REFUSED;
	case 503:
		return END_UNREACHABLE;
	case 504:
		return END_CONNECT_TIMEOUT;
	default:
		return END_PROTOCOL;
	}
}
