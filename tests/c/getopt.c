/* utils_getopt: as POSIX getopt, with its place kept between calls. */

#include "check.h"
#include "qcloud_iot_export.h"
#include "utils_getopt.h"

static void good(void)
{
    char *argv[] = {"program", "-a", "-b", "value", "-cjoined", "-ad", "file", "-a", NULL};
    int   argc   = 8;

    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), 'a');
    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), 'b');
    CHECK_STR(utils_optarg, "value");
    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), 'c');
    CHECK_STR(utils_optarg, "joined");
    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), 'a');
    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), 'd');
    CHECK_INT(utils_getopt(argc, argv, "ab:c:d"), -1);
}

static void ends(void)
{
    char *dashes[] = {"program", "-a", "--", "-b", NULL};
    char *dash[]   = {"program", "-", "-a", NULL};
    char *none[]   = {"program", NULL};

    CHECK_INT(utils_getopt(4, dashes, "ab"), 'a');
    CHECK_INT(utils_getopt(4, dashes, "ab"), -1);
    CHECK_INT(utils_getopt(3, dash, "a"), -1);
    CHECK_INT(utils_getopt(1, none, "a"), -1);
    CHECK_INT(utils_getopt(0, none, "a"), -1);
}

static void bad(void)
{
    char *unknown[] = {"program", "-x", "-a", NULL};
    char *missing[] = {"program", "-b", NULL};

    CHECK_INT(utils_getopt(3, unknown, "ab:"), '?');
    CHECK_INT(utils_getopt(3, unknown, "ab:"), 'a');
    CHECK_INT(utils_getopt(3, unknown, "ab:"), -1);
    CHECK_INT(utils_getopt(2, missing, "ab:"), '?');
    CHECK_INT(utils_getopt(2, missing, "ab:"), -1);
    CHECK_INT(utils_getopt(2, missing, ":ab:"), ':');
    CHECK_INT(utils_getopt(2, missing, ":ab:"), -1);
}

int main(void)
{
    good();
    ends();
    bad();
    return check_result();
}
