#ifndef TESTS_SUPPORT_PLAIN_TLS_H_
#define TESTS_SUPPORT_PLAIN_TLS_H_

/* Called once in the next HAL_TLS_Read. */
extern void (*plain_tls_in_read)(void);

#endif
