/* Every function of SSH tunnels with NULL and with clients that never were, and without a tunnel: the documented result, no crash. */

#include "check.h"
#include "qcloud_iot_export.h"

/* The library has them, and no header. */
int IOT_Ssh_state_report(void *client, int state);
int IOT_QCLOUD_SSH_Start(void *client);
int IOT_QCLOUD_SSH_Stop(void);

static void check_client(void *client)
{
    CHECK_INT(IOT_Ssh_enable(client), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_Ssh_state_report(client, 1), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_QCLOUD_SSH_Start(client), QCLOUD_ERR_INVAL);
}

int main(void)
{
    char stranger[64] = {0};

    check_client(NULL);
    check_client(stranger);
    check_client((void *)8);
#ifdef REMOTE_LOGIN_WEBSOCKET_SSH
    CHECK_INT(IOT_QCLOUD_SSH_Stop(), QCLOUD_RET_SUCCESS);
#else
    CHECK_INT(IOT_QCLOUD_SSH_Stop(), QCLOUD_ERR_FAILURE);
#endif
    return check_result();
}
