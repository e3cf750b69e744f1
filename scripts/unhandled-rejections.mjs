// Read by mocha before the tests: a promise that rejects while nobody listens ends a member's
// process, so it fails the test that runs. Mocha by itself only tells it on to other listeners.
const told = new WeakSet();

process.on('unhandledRejection', (reason, promise) => {
  if (told.has(promise)) return;
  told.add(promise);
  throw reason;
});
