// Reads `go test -json` and prints what a person wants of it: a line per package, the output of what failed,
// and the sum. The exit code is 1 if anything failed, and also if nothing ran.
import readline from 'node:readline';

const output = new Map(); // "package test" or "package" -> lines
const failed = [];
let passed = 0;
let broken = 0;

const key = (e) => `${e.Package ?? e.ImportPath} ${e.Test ?? ''}`;

function finish(e) {
  const lines = output.get(key(e)) ?? [];
  output.delete(key(e));
  if (e.Test === undefined) {
    const seconds = e.Elapsed === undefined ? '' : ` ${e.Elapsed.toFixed(1)}s`;
    if (e.Action !== 'skip') console.log(`${e.Action === 'pass' ? 'ok  ' : 'FAIL'} ${e.Package}${seconds}`);
    if (e.Action === 'fail') broken += 1;
    if (e.Action === 'fail') process.stdout.write(lines.filter((l) => !/^(FAIL|ok|exit status)/.test(l)).join(''));
    return;
  }
  if (e.Action === 'pass') passed += 1;
  if (e.Action === 'fail') failed.push(`${e.Package} ${e.Test}`);
  if (e.Action === 'fail') process.stdout.write(lines.join(''));
  // The project has no skipped tests: one that says it was skipped did not show what its name says.
  if (e.Action === 'skip') failed.push(`${e.Package} ${e.Test} (skipped)`);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let e;
  try {
    e = JSON.parse(line);
  } catch {
    console.log(line);
    continue;
  }
  if (e.Action === 'build-output') process.stdout.write(e.Output);
  if (e.Action === 'output') output.set(key(e), [...(output.get(key(e)) ?? []), e.Output]);
  if (e.Action === 'pass' || e.Action === 'fail' || e.Action === 'skip') finish(e);
}

for (const name of failed) console.log(`failed: ${name}`);
console.log(`${passed} passed, ${failed.length} failed${broken ? `, ${broken} packages broken` : ''}`);
process.exit(failed.length || broken || !passed ? 1 : 0);
