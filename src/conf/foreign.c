/* Other programs' configs, told by a word that theirs have and ours have not; see foreign.h. */
#include "conf/foreign.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define SAMPLE 64 /* of base64: more than the longest scheme takes */

static size_t skip_space(const char *text, size_t len)
{
	size_t at = 0;

	while (at < len && strchr(" \t\r\n", text[at]) && text[at])
		at++;
	return at;
}

/* Does a line begin with it? */
static bool has_line(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; at && len - (size_t)(at - text) >= n;) {
		if (memcmp(at, word, n) == 0)
			return true;
		at = memchr(at, '\n', len - (size_t)(at - text));
		at = at ? at + 1 : NULL;
	}
	return false;
}

static bool is_url(const char *text, size_t len)
{
	const char *at = memmem(text, len < 16 ? len : 16, "://", 3);

	return at && at > text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") >= (size_t)(at - text);
}

static bool is_base64_of_urls(const char *text, size_t len)
{
	static const int variants[] = { sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE_NO_PADDING };
	size_t sample = len < SAMPLE ? len & ~(size_t)3 : SAMPLE;
	char plain[SAMPLE + 1] = "";
	bool found = false;

	for (size_t i = 0; i < 2 && !found; i++) {
		size_t n = 0;

		found = sodium_base642bin((unsigned char *)plain, SAMPLE, text, sample, " \r\n=", &n, NULL, variants[i]) == 0 && n && is_url(plain, n);
	}
	sodium_memzero(plain, sizeof(plain));
	return found;
}

const char *foreign_text(const char *text, size_t len)
{
	size_t at = skip_space(text, len);

	text += at;
	len -= at;
	if (!len)
		return "it is empty";
	if (is_url(text, len))
		return "this is a list of URLs and no config: give one that begins with ss:// in the file's place, or write { \"server\": \"ss://...\" }";
	if (is_base64_of_urls(text, len))
		return "this is a subscription: `base64 -d` shows the URLs in it, and one that begins with ss:// is taken in the file's place";
	if (has_line(text, len, "proxies:") || has_line(text, len, "proxy-groups:") || has_line(text, len, "proxy-providers:"))
		return "this is a config of Clash: of a proxy of type ss make { \"server\": ..., \"server_port\": its port, \"method\": its cipher, "
		       "\"password\": ... }";
	return NULL;
}

const char *foreign_object(const json_t *root)
{
	if (json_is_array(json_object_get(root, "outbounds")))
		return "this is a config of sing-box or V2Ray: of an outbound of Shadowsocks make { \"server\": ..., \"server_port\": ..., "
		       "\"method\": ..., \"password\": ... }";
	return NULL;
}
