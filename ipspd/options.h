/*
 * ipspd/options.h - the command line of ipspd(8), and the options file that the agent reads.
 */
#ifndef IPSPD_OPTIONS_H
#define IPSPD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "ipspd/start.h"

/** What the parent was told. All texts are borrowed from argv. */
struct options {
	bool foreground;		/* -f */
	bool guard_only;		/* --guard-only: load the saved guard and end */
	const char *file;		/* -c; NULL: the default one, which need not be there */
	const char *statedir;		/* -S */
	const char *control_path;	/* -s */
	const char *pfkey_path;		/* -k; else beside the control socket */
	bool pfkey_given;
	const char *master;		/* -x; "": as the options file says */
	const char *import;		/* -i; NULL: nothing */
	const char *pidfile;		/* --pidfile; NULL: none */
	size_t n_attach;		/* -a; 0: as the options file says */
	const char *attach[START_ATTACH_MAX];
};

enum options_outcome { OPTIONS_RUN, OPTIONS_END, OPTIONS_BAD };

/** Reads the command line; prints help, version, or what is wrong with it. */
enum options_outcome options_parse(int argc, char **argv, struct options *out);

/** What the options file may say. Caller's memory; initialised with the defaults. */
struct options_file {
	char master[START_PATH_MAX];
	char import_directory[START_PATH_MAX + 8];	/* empty: "import" in the state directory */
	struct agent_options options;
};
void options_file_init(struct options_file *f);

/**
 * Reads the options file from a descriptor, which it takes.
 * @param name  for messages
 * @param why   what is wrong, with the line
 * @return false: *why; *out is untouched
 */
bool options_file_read(int fd, const char *name, struct options_file *out, char *why,
		       size_t why_size);

#endif
