/* ipspctl/print.h - answers as text for people, or as JSON for programs. */
#ifndef IPSPCTL_PRINT_H
#define IPSPCTL_PRINT_H

#include <stdbool.h>

#include <json-c/json.h>

/** How one kind of answer is shown. first: nothing was printed yet. */
typedef void print_fn(struct json_object *item, bool first);

print_fn print_row;	/* rows, get */
print_fn print_spd;
print_fn print_sad;
print_fn print_algorithms;
print_fn print_stats;
print_fn print_status;
print_fn print_line;	/* monitor, guard: one text a line */
print_fn print_change;	/* set, create, delete, import: the generation */
print_fn print_nothing;

/** The error object of an answer, on stderr; file: what its line counts in, or NULL. */
void print_error(struct json_object *error, const char *file);

#endif
