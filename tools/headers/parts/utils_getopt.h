#ifndef __UTILS_GETOPT_H__
#define __UTILS_GETOPT_H__

#ifdef __cplusplus
extern "C" {
#endif

/** Argument of the option that utils_getopt returned last, NULL when it takes none. */
extern char *utils_optarg;

@rust src/ffi/getopt.rs@
#ifdef __cplusplus
}
#endif

#endif /* __UTILS_GETOPT_H__ */
