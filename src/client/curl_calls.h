/*
 * What fetch.c calls of libcurl, which is loaded when the first online config is fetched
 * (sys/library.h). Nobody else includes it.
 */
#ifndef GATUN_CLIENT_CURL_CALLS_H
#define GATUN_CLIENT_CURL_CALLS_H

#include <curl/curl.h>
#include <stdbool.h>

extern struct curl_calls {
	__typeof__(curl_global_init) *global_init;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_setopt) *multi_setopt;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_socket_action) *multi_socket_action;
	__typeof__(curl_multi_assign) *multi_assign;
	__typeof__(curl_multi_info_read) *multi_info_read;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_url) *url;
	__typeof__(curl_url_set) *url_set;
	__typeof__(curl_url_get) *url_get;
	__typeof__(curl_url_cleanup) *url_cleanup;
	__typeof__(curl_free) *free;
} curl;

/* Before the first of them: false, with a line in the log, where there is no libcurl. */
bool curl_calls_need(void);

#endif
