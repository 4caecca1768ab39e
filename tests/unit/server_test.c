/* The server as a library: what its options may be. Requests are tested through the command (tests/cli/serve_test.py). */
#include "train_support.h"
#include <deeper/tools.h>

static void options_are_checked(void **state) {
    (void)state;
    struct sample sample;
    dpr_context *context = make_context("cpu", 1);
    dpr_data *data = make_data(context, &sample, 20, 4);
    dpr_model *model = make_model(context, data, "input 6 6 1, linear classes", 1);
    dpr_server_options options = dpr_server_options_default();
    dpr_server *server = NULL;
    options.port = 65536;
    FAILS(context, dpr_server_create(model, &options, &server), DPR_E_ARGUMENT, "0 to 65535");
    options.port = 0;
    options.seconds = -1;
    FAILS(context, dpr_server_create(model, &options, &server), DPR_E_ARGUMENT, "above 0");
    options.size = offsetof(dpr_server_options, seconds); /* of a caller that knows fewer fields */
    dpr_status status = dpr_server_create(model, &options, &server);
    if (status != DPR_E_UNSUPPORTED) /* built without libmicrohttpd */
        OK(context, status);
    if (status == DPR_OK)
        assert_in_range(dpr_server_port(server), 1, 65535);
    dpr_server_destroy(server);
    dpr_model_destroy(model);
    dpr_data_destroy(data);
    dpr_context_destroy(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(options_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
