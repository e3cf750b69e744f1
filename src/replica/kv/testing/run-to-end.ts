/** Runs sliced work to its end at once: never what a node does that has heartbeats to send. */
export function runToEnd<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
