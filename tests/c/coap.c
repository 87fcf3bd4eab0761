/*
 * IOT_COAP_* as a program sees it (coap.md section 9), against a cloud in memory that answers over the program's own
 * HAL_UDP_*, by a clock that only waiting moves.
 */

#include "coap_cloud.h"

/* ---- Cases 1 to 5: the token ---- */

static void by_ack(void)
{
    say(ACK, CONTENT, TOKEN);
}

static void apart_con(void)
{
    say(ACK, VALID, "");
    say_as(CON, CONTENT, 7, TOKEN, strlen(TOKEN));
}

static void apart_non(void)
{
    say_as(NON, CONTENT, 7, TOKEN, strlen(TOKEN));
}

static void apart_empty(void)
{
    say(ACK, EMPTY, "");
    say_as(CON, CONTENT, 7, TOKEN, strlen(TOKEN));
}

static void case_01_each_way_to_be_given_a_token(void)
{
    static void (*const ways[])(void) = {by_ack, apart_con, apart_non, apart_empty};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        void *client = construct(ways[i]);

        CHECK(client != NULL);
        IOT_COAP_Destroy(&client);
        CHECK(client == NULL);
    }
}

static void answers_the_second(void)
{
    static unsigned char first[600];
    static size_t        first_len;

    if (sent_count % 2 == 1) {
        first_len = sent_len;
        memcpy(first, sent, sent_len);
        return;
    }
    CHECK(first_len == sent_len && memcmp(first, sent, sent_len) == 0);
    say(ACK, CONTENT, TOKEN);
}

static void case_02_a_lost_request_is_repeated(void)
{
    void *client = construct(answers_the_second);

    CHECK(client != NULL);
    CHECK_INT(sent_count, 2);
    CHECK_INT(sent_at[1] - sent_at[0], LIMIT_MS);
    IOT_COAP_Destroy(&client);
}

static int refusal_kind, refusal_code;

static void refuses(void)
{
    say(refusal_kind, refusal_code, "");
}

static void says_nothing(void) {}

static void case_03_each_failure_is_null_in_time_and_leaves_nothing(void)
{
    static const int refusals[][2] = {{ACK, UNAUTHORIZED}, {ACK, FORBIDDEN}, {ACK, FAILED}, {ACK, 0x44},
                                      {ACK, CONTENT},      {ACK, VALID},     {RST, EMPTY}};
    size_t           before        = memory_in_use;
    uint32_t         began         = clock_ms;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        refusal_kind = refusals[i][0];
        refusal_code = refusals[i][1];
        CHECK(construct(refuses) == NULL);
        CHECK(clock_ms - began <= LIMIT_MS);
        began = clock_ms;
    }
    CHECK(construct(says_nothing) == NULL);
    CHECK_INT(clock_ms - began, (REPEATS + 1) * LIMIT_MS);
    write_code = -1;
    CHECK(construct(says_nothing) == NULL);
    write_code = 0;
    CHECK_INT(memory_in_use, before);
}

static size_t token_len;

static void gives_long_token(void)
{
    static const char token[300] = {'t', 'o', 'k', 'e', 'n'};

    if (asks_for_token()) {
        say_as(ACK, CONTENT, sent_id(), token, token_len);
    }
}

static void case_04_the_token_comes_back_unchanged(void)
{
    static const char   path[]    = "\xbd\x13"
                                    "C1PRODUCT1/dev01/txauth9w0BAQsFA\xd1\x26"
                                    "0\xff"
                                    "21010406;";
    static const size_t lengths[] = {1, 10, 13, 300};
    SendMsgParams       what      = message("x", false, NULL);

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        static const char token[300] = {'t', 'o', 'k', 'e', 'n'};
        void             *client;
        size_t            head;

        token_len = lengths[i];
        client    = construct(gives_long_token);
        CHECK_INT(sent_len, 62);
        CHECK(memcmp(sent, "\x44\x02", 2) == 0 && memcmp(sent + 8, path, sizeof(path) - 1) == 0);
        CHECK(memcmp(sent + 60, "\0", 2) == 0);
        CHECK(post(client, &what) > 0);
        /* Behind the topic: the head of option 61, of as many bytes as its length takes. */
        head = 8 + 2 + strlen(TOPIC) + (token_len < 13 ? 2 : token_len < 269 ? 3 : 4);
        CHECK_INT(sent_len, head + token_len + 2 + 2);
        CHECK(memcmp(sent + head, token, token_len) == 0);
        CHECK(memcmp(sent + head + token_len,
                     "\x11"
                     "0\xffx",
                     4) == 0);
        IOT_COAP_Destroy(&client);
    }
}

static void case_05_the_time_limit_is_clamped_where_the_caller_sees_it(void)
{
    CoAPInitParams init = params();
    void          *client;

    cloud                = by_ack;
    init.command_timeout = 100;
    client               = IOT_COAP_Construct(&init);
    CHECK_INT(init.command_timeout, 500);
    IOT_COAP_Destroy(&client);
    init.command_timeout = 99999;
    client               = IOT_COAP_Construct(&init);
    CHECK_INT(init.command_timeout, 5000);
    IOT_COAP_Destroy(&client);
}

/* ---- Cases 9 to 15: messages and answers ---- */

static void case_09_what_can_be_sent_and_what_not(void)
{
    static char   topic[130], payload[600];
    SendMsgParams what   = message("", false, NULL);
    void         *client = construct(trusting);

    then = acknowledges;
    memset(topic, 't', 128);
    memset(payload, 'p', sizeof(payload));
    CHECK(post(client, &what) > 0);
    CHECK_INT(sent[sent_len - 1], '0');
    what.pay_load     = payload;
    what.pay_load_len = 466;
    CHECK(post(client, &what) > 0);
    CHECK_INT(sent_len, 512);
    what.pay_load_len = 467;
    CHECK_INT(post(client, &what), QCLOUD_ERR_COAP_INTERNAL);
    what.pay_load_len = 1;
    CHECK(IOT_COAP_SendMessage(client, topic, &what) > 0);
    topic[128] = 't';
    CHECK_INT(IOT_COAP_SendMessage(client, topic, &what), QCLOUD_ERR_MAX_TOPIC_LENGTH);
    CHECK_INT(IOT_COAP_SendMessage(client, NULL, &what), QCLOUD_ERR_INVAL);
    CHECK_INT(post(client, NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(post(NULL, &what), QCLOUD_ERR_INVAL);
    what.pay_load = NULL;
    CHECK_INT(post(client, &what), QCLOUD_ERR_INVAL);
    CHECK_INT(sent_count, 4);
    IOT_COAP_Destroy(&client);
}

static void case_11_a_message_is_repeated_and_given_up_once(void)
{
    SendMsgParams what   = message("x", false, NULL);
    void         *client = construct(trusting);
    uint32_t      began  = clock_ms;
    int           id;

    then = says_nothing;
    id   = post(client, &what);
    wait_long(client);
    CHECK_INT(sent_count, 1 + REPEATS + 1);
    CHECK_INT(sent_at[2] - began, LIMIT_MS);
    CHECK_INT(sent_at[3] - began, 2 * LIMIT_MS);
    CHECK(heard.events == 1 && heard.type == COAP_EVENT_ACK_TIMEOUT && heard.id == id);
    IOT_COAP_Destroy(&client);
}

typedef struct {
    void (*answer)(void);
    int         type; /* to event_handle; 99: it is not called */
    int         code; /* GetMessageCode in resp_callback */
    const char *content;
} Row;

static const Row *row;

static void ack_content(void)
{
    say(ACK, CONTENT, "content");
}

static void con_content(void)
{
    say_as(CON, CONTENT, 7, "content", 7);
}

static void later_content(void)
{
    say(ACK, VALID, "");
    say_as(NON, CONTENT, 7, "content", 7);
}

static void valid_only(void)
{
    say(ACK, VALID, "");
}

static void ack_401(void)
{
    say(ACK, UNAUTHORIZED, "");
}

static void ack_403(void)
{
    say(ACK, FORBIDDEN, "");
}

static void ack_404(void)
{
    say(ACK, 0x84, "");
}

static void ack_500(void)
{
    say(ACK, FAILED, "");
}

static void ack_204(void)
{
    say(ACK, 0x44, "");
}

static void ack_231(void)
{
    say(ACK, 0x5f, "");
}

static void con_404(void)
{
    say_as(CON, 0x84, 7, "", 0);
}

static void reset(void)
{
    say(RST, EMPTY, "");
}

static void case_12_each_row_of_the_answer_table(void)
{
    static const Row rows[] = {
        {ack_content, COAP_EVENT_RECEIVE_ACK, 1, "content"},
        {acknowledges, COAP_EVENT_RECEIVE_ACK, 1, ""},
        {con_content, COAP_EVENT_RECEIVE_RESPCONTENT, 1, "content"},
        {later_content, COAP_EVENT_RECEIVE_RESPCONTENT, 1, "content"},
        {valid_only, COAP_EVENT_SEPRESP_TIMEOUT, -5, NULL},
        {says_nothing, COAP_EVENT_ACK_TIMEOUT, -4, NULL},
        {ack_401, COAP_EVENT_UNAUTHORIZED, -1, NULL},
        {ack_403, COAP_EVENT_FORBIDDEN, -2, NULL},
        {ack_404, COAP_EVENT_INTERNAL_SERVER_ERROR, -2, NULL},
        {ack_500, COAP_EVENT_INTERNAL_SERVER_ERROR, -3, NULL},
        {ack_204, COAP_EVENT_RECEIVE_ACK, 1, NULL},
        {ack_231, COAP_EVENT_INTERNAL_SERVER_ERROR, 1, NULL},
        {con_404, COAP_EVENT_INTERNAL_SERVER_ERROR, -2, NULL},
        {reset, COAP_EVENT_INTERNAL_SERVER_ERROR, -3, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* Without an answer wanted, with one and nobody to take it, and with somebody. */
        for (int way = 0; way < 3; way++) {
            SendMsgParams what   = message("x", way > 0, way == 2 ? on_answer : NULL);
            void         *client = construct(trusting);
            int           id;

            row  = &rows[i];
            then = row->answer;
            id   = post(client, &what);
            wait_long(client);
            if (heard.id != id || heard.events != (unsigned)(way < 2) || heard.answers != (unsigned)(way == 2)) {
                fprintf(stderr, "row %u, way %d: event %d of %u, %u answers\n", (unsigned)i, way, heard.type,
                        heard.events, heard.answers);
            }
            CHECK_INT(heard.id, id);
            CHECK_INT(heard.events, way < 2);
            CHECK_INT(heard.answers, way == 2);
            if (way < 2) {
                CHECK_INT(heard.type, row->type);
            } else {
                CHECK_INT(heard.code, row->code);
                CHECK_INT(heard.payload_code, row->content == NULL ? QCLOUD_ERR_FAILURE : 0);
                CHECK_STR(heard.text, row->content == NULL ? "" : row->content);
            }
            IOT_COAP_Destroy(&client);
        }
    }
}

static void case_15_late_answers_and_others_do_no_harm(void)
{
    SendMsgParams what   = message("x", false, NULL);
    void         *client = construct(trusting);

    then = says_nothing;
    CHECK(post(client, &what) > 0);
    wait_long(client);
    acknowledges();
    con_content();
    acknowledges();
    memcpy(come(3), "\x40\x02\x03", 3);
    memcpy(come(5), "\x60\x45\x01\x02\xff", 5);
    CHECK_INT(IOT_COAP_Yield(client, 10), 0);
    wait_long(client);
    CHECK_INT(heard.events, 1);
    /* The one apart was acknowledged, as the RFC says. */
    CHECK(sent_len == 4 && memcmp(sent, "\x60\x00\x00\x07", 4) == 0);
    IOT_COAP_Destroy(&client);
}

/* ---- Cases 16 to 30: the program's side ---- */

static void case_16_yield_takes_its_time_and_no_more(void)
{
    void    *client = construct(trusting);
    uint32_t began  = clock_ms;

    CHECK_INT(IOT_COAP_Yield(client, 2000), 0);
    CHECK_INT(clock_ms - began, 2000);
    began = clock_ms;
    CHECK_INT(IOT_COAP_Yield(client, 0), 0);
    CHECK(clock_ms - began <= 1);
    IOT_COAP_Destroy(&client);
}

static size_t long_len;

static void says_long(void)
{
    static char text[4000];

    memset(text, 'l', sizeof(text));
    text[1] = '\0';
    say_as(ACK, CONTENT, sent_id(), text, long_len);
}

static void case_20_answers_come_whole_with_a_nul_behind(void)
{
    static const size_t lengths[] = {503, 504, 1200, 4000};
    SendMsgParams       what      = message("x", true, on_answer);
    void               *client    = construct(trusting);

    then = says_long;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        long_len = lengths[i];
        CHECK(post(client, &what) > 0);
        CHECK_INT(IOT_COAP_Yield(client, LIMIT_MS), 0);
        CHECK_INT(heard.len, long_len);
        CHECK(heard.text[1] == '\0' && heard.text[long_len - 1] == 'l');
    }
    IOT_COAP_Destroy(&client);
}

static void *nested_client;

static void sends_again(void *answered, void *context)
{
    SendMsgParams what = message("again", true, on_answer);

    on_answer(answered, context);
    CHECK(post(nested_client, &what) > 0);
    CHECK_INT(IOT_COAP_Yield(nested_client, 0), 0);
}

static void case_21_a_callback_may_call_everything(void)
{
    SendMsgParams what = message("x", true, sends_again);

    then          = ack_content;
    nested_client = construct(trusting);
    CHECK(post(nested_client, &what) > 0);
    wait_long(nested_client);
    CHECK_INT(heard.answers, 2);
    CHECK_STR(IOT_COAP_GetDeviceInfo(nested_client)->client_id, "C1PRODUCT1dev01");
    CHECK_STR(IOT_COAP_GetDeviceInfo(nested_client)->device_secret, "");
    CHECK(IOT_COAP_GetDeviceInfo(NULL) == NULL);
    CHECK_INT(IOT_COAP_GetMessageId(NULL), QCLOUD_ERR_INVAL);
    CHECK_INT(IOT_COAP_GetMessageCode(NULL), QCLOUD_ERR_INVAL);
    IOT_COAP_Destroy(&nested_client);
}

static void case_26_a_token_that_is_refused_later_is_the_programs_to_renew(void)
{
    SendMsgParams what   = message("x", false, NULL);
    void         *client = construct(trusting);

    then = ack_401;
    CHECK(post(client, &what) > 0);
    wait_long(client);
    CHECK(heard.events == 1 && heard.type == COAP_EVENT_UNAUTHORIZED);
    /* It has not asked for another one. */
    CHECK_INT(sent_count, 2);
    IOT_COAP_Destroy(&client);
    client = construct(trusting);
    CHECK(client != NULL && sent_count == 1 && asks_for_token());
    IOT_COAP_Destroy(&client);
}

static void case_27_destroy_tells_nobody_and_frees_all(void)
{
    SendMsgParams what   = message("x", true, on_answer);
    size_t        before = memory_in_use;
    void         *client = construct(trusting);

    then = says_nothing;
    for (int i = 0; i < 64; i++) {
        CHECK(post(client, &what) > 0);
    }
    IOT_COAP_Destroy(&client);
    IOT_COAP_Destroy(&client);
    IOT_COAP_Destroy(NULL);
    CHECK(client == NULL && heard.events == 0 && heard.answers == 0);
    CHECK_INT(memory_in_use, before);
}

static void case_29_what_a_platform_may_return_ends_nothing(void)
{
    static const int reads[] = {-1, -3, -706, -708};
    SendMsgParams    what    = message("x", false, NULL);
    void            *client  = construct(trusting);

    then = acknowledges;
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        uint32_t began = clock_ms;
        int      code;

        read_code = reads[i];
        code      = IOT_COAP_Yield(client, 100);
        /* Interrupted is no error. */
        CHECK_INT(code, reads[i] == -3 ? 0 : QCLOUD_ERR_TCP_READ_FAIL);
        CHECK(clock_ms - began <= 200);
    }
    read_code = 0;
    for (write_code = -1; write_code < 1; write_code++) {
        CHECK_INT(post(client, &what) > 0, write_code == 0);
    }
    write_code = 0;
    wait_long(client);
    CHECK(heard.events == 1 && heard.type == COAP_EVENT_RECEIVE_ACK);
    IOT_COAP_Destroy(&client);
}

static void case_30_memory_is_flat_over_10000_messages(void)
{
    SendMsgParams what   = message("x", false, NULL);
    void         *client = construct(trusting);
    size_t        before = 0;

    then = acknowledges;
    for (int i = 0; i < 10000; i++) {
        CHECK(post(client, &what) > 0);
        CHECK_INT(IOT_COAP_Yield(client, 10), 0);
        before = i == 100 ? memory_in_use : before;
    }
    CHECK_INT(heard.events, 10000);
    CHECK_INT(memory_in_use, before);
    IOT_COAP_Destroy(&client);
}

int main(void)
{
    IOT_Log_Set_Level(eLOG_DISABLE);
    case_01_each_way_to_be_given_a_token();
    case_02_a_lost_request_is_repeated();
    case_03_each_failure_is_null_in_time_and_leaves_nothing();
    case_04_the_token_comes_back_unchanged();
    case_05_the_time_limit_is_clamped_where_the_caller_sees_it();
    case_09_what_can_be_sent_and_what_not();
    case_11_a_message_is_repeated_and_given_up_once();
    case_12_each_row_of_the_answer_table();
    case_15_late_answers_and_others_do_no_harm();
    case_16_yield_takes_its_time_and_no_more();
    case_20_answers_come_whole_with_a_nul_behind();
    case_21_a_callback_may_call_everything();
    case_26_a_token_that_is_refused_later_is_the_programs_to_renew();
    case_27_destroy_tells_nobody_and_frees_all();
    case_29_what_a_platform_may_return_ends_nothing();
    case_30_memory_is_flat_over_10000_messages();
    return check_result();
}
