/* See request.h. A request is JSON for the engine's registry, or HTTP for whoever collects metrics. */
#include "ctl/request.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/json_text.h"
#include "ctl/metrics.h"
#include "engine/status.h"

char *ctl_request_line(json_t *document)
{
	char *line = json_text_line(document);

	json_decref(document);
	return line;
}

static char *answer_json(const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_DECODE_ANY, &error);
	json_t *document = request ? engine_request(request) : engine_request_error("that is no JSON: byte %d", error.position);

	json_decref(request);
	return ctl_request_line(document);
}

/* ---- HTTP ---- */

static bool starts_with(const char *line, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static char *http(const char *status, const char *body)
{
	char *text;

	if (asprintf(&text, "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		     status, strlen(body), body) < 0)
		return NULL;
	return text;
}

/* Asked for like anybody's, so that a supervisor adds its workers up. */
static json_t *ask_status(void)
{
	json_t *request = json_pack("{s:s}", "request", "status"), *document = engine_request(request);

	json_decref(request);
	return document;
}

static char *answer_http(const char *line, size_t len)
{
	json_t *document;
	char *metrics, *text = NULL;

	if (!starts_with(line, len, "GET /metrics ") && !starts_with(line, len, "GET /metrics?"))
		return http("404 Not Found", "Ask for /metrics.\n");
	document = ask_status();
	metrics = document ? ctl_metrics_format(&document, 1) : NULL;
	if (metrics)
		text = http("200 OK", metrics);
	free(metrics);
	json_decref(document);
	return text;
}

char *ctl_request_answer(const char *line, size_t len)
{
	return starts_with(line, len, "GET ") ? answer_http(line, len) : answer_json(line, len);
}
