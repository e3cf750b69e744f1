// A dot per test, then what failed, then what took longest: CI has a limit of time.
const { reporters } = require('mocha');

const SLOWEST = 25;

module.exports = class UnitReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options);
    const took = new Map();
    runner.on('pass', (test) => took.set(test.file, (took.get(test.file) ?? 0) + (test.duration ?? 0)));
    runner.once('end', () => {
      const files = [...took].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
      const rows = files.map(([file, ms]) => `  ${(ms / 1000).toFixed(1).padStart(6)} s  ${String(file).replace(`${process.cwd()}/`, '')}`);
      console.log(`  slowest files, by their tests alone:\n${rows.join('\n')}\n`);
    });
  }
};
