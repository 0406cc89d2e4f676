/* The table of curl_calls.h. */
#include "client/curl_calls.h"

#include "base/log.h"
#include "sys/library.h"

struct curl_calls curl;

static const struct library_call calls[] = {
	{ "curl_global_init", &curl.global_init },
	{ "curl_multi_init", &curl.multi_init },
	{ "curl_multi_cleanup", &curl.multi_cleanup },
	{ "curl_multi_setopt", &curl.multi_setopt },
	{ "curl_multi_add_handle", &curl.multi_add_handle },
	{ "curl_multi_remove_handle", &curl.multi_remove_handle },
	{ "curl_multi_socket_action", &curl.multi_socket_action },
	{ "curl_multi_assign", &curl.multi_assign },
	{ "curl_multi_info_read", &curl.multi_info_read },
	{ "curl_easy_init", &curl.easy_init },
	{ "curl_easy_cleanup", &curl.easy_cleanup },
	{ "curl_easy_setopt", &curl.easy_setopt },
	{ "curl_easy_getinfo", &curl.easy_getinfo },
	{ "curl_easy_strerror", &curl.easy_strerror },
	{ "curl_slist_append", &curl.slist_append },
	{ "curl_slist_free_all", &curl.slist_free_all },
	{ "curl_url", &curl.url },
	{ "curl_url_set", &curl.url_set },
	{ "curl_url_get", &curl.url_get },
	{ "curl_url_cleanup", &curl.url_cleanup },
	{ "curl_free", &curl.free },
};
static struct library libcurl = { .soname = "libcurl.so.4", .calls = calls, .n = sizeof(calls) / sizeof(calls[0]) };

bool curl_calls_need(void)
{
	static bool ready;
	char why[256];

	if (ready)
		return true;
	if (library_need(&libcurl, why, sizeof(why)) == 0)
		ready = curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	else
		log_error("an online config cannot be fetched: %s", why);
	return ready;
}
