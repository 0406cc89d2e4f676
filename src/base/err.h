/* Names of errno values, and the end of a program that cannot go on. */
#ifndef GATUN_BASE_ERR_H
#define GATUN_BASE_ERR_H

/* "ECONNREFUSED" for -ECONNREFUSED or ECONNREFUSED. Never NULL. */
const char *err_name(int err);

/* Prints "gatun: message" and exits with `code`. Only cli/ and conf/ may call it. */
void die(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
