/*
 * The control socket's two ends. The first byte chooses: a line that somebody
 * sends to an instance; the document that an instance sends to `gatun status`,
 * which prints it as text and as metrics; or two documents that a supervisor adds
 * up, with a newline between.
 */
#include "fuzz.h"

#include <stdio.h>

#include "ctl/metrics.h"
#include "ctl/report.h"
#include "ctl/request.h"
#include "engine/status.h"
#include "loop/loop.h"

static json_t *echo(void *owner, const json_t *request)
{
	(void)owner;
	return json_deep_copy(request);
}

static void begin_once(void)
{
	static int begun;

	if (begun)
		return;
	begun = 1;
	must(loop_init() == 0);
	engine_status_begin();
	engine_request_add("echo", echo, NULL);
}

/* Every line gets one: of JSON, or of HTTP. */
static void answer_line(const char *line, size_t len)
{
	char *text = ctl_request_answer(line, len);

	must(text && (text[0] == '{' || memcmp(text, "HTTP/1.1 ", 9) == 0));
	must(text[0] != '{' || strchr(text, '\n') == text + strlen(text) - 1);
	free(text);
}

/* No control byte but the newline reaches a terminal, whatever a document holds. */
static void print_document(json_t *document)
{
	char *text = NULL, *metrics = ctl_metrics_format(&document, 1);
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	must(f != NULL && metrics != NULL);
	ctl_report_print(f, document);
	fclose(f);
	for (size_t i = 0; i < size; i++)
		must(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
	free(text);
	free(metrics);
}

static void read_documents(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	json_t *a = json_loadb(text, end ? (size_t)(end - text) : len, 0, NULL);
	json_t *b = end ? json_loadb(end + 1, len - (size_t)(end - text) - 1, 0, NULL) : NULL;

	if (json_is_object(a)) {
		if (json_is_object(b))
			engine_status_add_up(a, b);
		print_document(a);
	}
	json_decref(a);
	json_decref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t choice = input_byte(&in);
	size_t len = in.left;
	char *block = (char *)input_block(&in, len);

	begin_once();
	if (choice & 1)
		read_documents(block, len);
	else
		answer_line(block, len);
	free(block);
	return 0;
}
