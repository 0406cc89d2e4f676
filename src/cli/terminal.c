/*
 * See terminal.h. Signals put the terminal back in their handler, by calls that are
 * allowed there, and then take their usual effect: whoever waits for an answer need not
 * come to an end first.
 */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate screen, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t entered, redraw;
static bool has_keys; /* standard input is the terminal, and open */

/* ---- what it can ---- */

bool terminal_can_draw(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
}

bool terminal_wants_color(void)
{
	const char *no = getenv("NO_COLOR");

	return terminal_can_draw() && !(no && *no);
}

void terminal_size(int *columns, int *rows)
{
	struct winsize w = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col || !w.ws_row) {
		w.ws_col = 80;
		w.ws_row = 24;
	}
	*columns = w.ws_col;
	*rows = w.ws_row;
}

/* ---- there and back ---- */

static void say(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
}

static void set_up(void)
{
	struct termios t = before;

	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &t);
	entered = 1;
	say(ENTER, sizeof(ENTER) - 1);
}

void terminal_leave(void)
{
	if (!entered)
		return;
	entered = 0;
	say(LEAVE, sizeof(LEAVE) - 1);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* ---- signals ---- */

static void on_end(int signum)
{
	terminal_leave();
	signal(signum, SIG_DFL);
	raise(signum);
}

static void on_stop(int signum)
{
	int err = errno;

	(void)signum;
	terminal_leave();
	raise(SIGSTOP);
	set_up();
	redraw = 1;
	errno = err;
}

static void on_size(int signum)
{
	(void)signum;
	redraw = 1;
}

static void handle(int signum, void (*handler)(int))
{
	struct sigaction a = { .sa_handler = handler };

	sigfillset(&a.sa_mask);
	sigaction(signum, &a, NULL);
}

static void handle_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		handle(ends[i], on_end);
	handle(SIGTSTP, on_stop);
	handle(SIGWINCH, on_size);
}

int terminal_enter(void)
{
	has_keys = isatty(STDIN_FILENO);
	if (has_keys && tcgetattr(STDIN_FILENO, &before) < 0)
		return -errno;
	handle_signals();
	atexit(terminal_leave);
	set_up();
	return 0;
}

/* ---- drawing, and keys ---- */

/* One write, and no line is blank in between: nothing flickers. */
void terminal_draw(const char *lines, size_t len)
{
	static const char home[] = "\033[H", next[] = "\033[K\r\n", rest[] = "\033[J";
	char *frame = malloc(sizeof(home) + sizeof(rest) + len * sizeof(next)), *p = frame;
	const char *end = lines + len;

	if (!frame)
		return;
	p = mempcpy(p, home, sizeof(home) - 1);
	while (lines < end) {
		const char *eol = memchr(lines, '\n', (size_t)(end - lines));

		if (!eol)
			break;
		p = mempcpy(p, lines, (size_t)(eol - lines));
		lines = eol + 1;
		/* After the last row a new line would scroll. */
		p = lines < end ? mempcpy(p, next, sizeof(next) - 1) : mempcpy(p, next, 3);
	}
	p = mempcpy(p, rest, sizeof(rest) - 1);
	say(frame, (size_t)(p - frame));
	free(frame);
}

static int read_key(void)
{
	unsigned char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);

	if (n == 1)
		return key ? key : ' ';
	if (n == 0 || errno != EINTR)
		has_keys = false;
	return 0;
}

int terminal_wait_key(int timeout_ms)
{
	struct pollfd p = { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	int n = redraw ? 0 : poll(&p, 1, timeout_ms);

	if (redraw) {
		redraw = 0;
		return -1;
	}
	return n > 0 ? read_key() : 0;
}
