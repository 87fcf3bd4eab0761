/*
 * A plug-in of qemu's user mode: counts the instructions of all threads of a program, and says how many there were where
 * `-D` leads. The few declarations of the interface (version 1) that it takes are here, since Debian has no package of them.
 *
 *   qemu-arm -plugin file=count.so -d plugin -D FILE PROGRAM
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

struct qemu_plugin_tb;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void   qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*call)(uint64_t, struct qemu_plugin_tb *));
void   qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*call)(unsigned, void *), int flags,
                                            void *data);
void   qemu_plugin_register_atexit_cb(uint64_t id, void (*call)(uint64_t, void *), void *data);
void   qemu_plugin_outs(const char *text);

/* Looked for by name. */
int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

static uint64_t counted;

static void on_run(unsigned cpu, void *instructions)
{
    (void)cpu;
    __atomic_fetch_add(&counted, (uint64_t)(uintptr_t)instructions, __ATOMIC_RELAXED);
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb));
}

static void on_end(uint64_t id, void *data)
{
    char text[32];

    (void)id;
    (void)data;
    snprintf(text, sizeof(text), "%" PRIu64 "\n", __atomic_load_n(&counted, __ATOMIC_RELAXED));
    qemu_plugin_outs(text);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
