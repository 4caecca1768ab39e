/* Taking signals (signals.h). */
#include "signals.h"
#include "cli.h"
#include <signal.h>
#include <unistd.h>

volatile int signals_stop;
static volatile sig_atomic_t number_taken;

static void on_signal(int number) {
    if (number_taken)
        _exit(EXIT_SIGNAL + number);
    number_taken = number;
    signals_stop = 1;
}

int signals_number(void) {
    return number_taken;
}

void signals_pretend(void) {
    if (!number_taken)
        number_taken = SIGINT;
    signals_stop = 1;
}

void signals_watch(bool on) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on ? on_signal : SIG_DFL}, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup */
            sigaction(numbers[i], &action, NULL);
}
