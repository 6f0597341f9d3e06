// Faults by path, set by the tests. A fault applies to the next `times` requests of its path:
//   {path, times, status, headers, body}     answer this instead, without asking the provider
//   {path, times, drop: true}                close the connection without an answer
//   {path, times, hold: 'before'|'after'}    stop before or after the provider processed the request, until released
//   {…hold: 'after', drop: true}             processed, answer lost
//   {…only: {code: …}}                       only requests whose form has a field with this thumbprint
// A held request is an event: `arrived` resolves with it, nobody polls.
import { thumbprint } from './journal.mjs';

export function createFaults() {
  const faults = [];
  let count = 0;

  const add = (spec) => {
    count += 1;
    const fault = { times: 1, ...spec, id: String(count), left: spec.times ?? 1, held: 0 };
    fault.released = new Promise((resolve) => { fault.release = resolve; });
    fault.arrived = new Promise((resolve) => { fault.arrive = resolve; });
    faults.push(fault);
    return fault;
  };

  const meant = (fault, form) => Object.entries(fault.only ?? {}).every(([name, thumb]) => thumbprint(form.get(name)) === thumb);

  // take returns the fault for a request, and counts it.
  const take = (path, form) => {
    const fault = faults.find((f) => f.path === path && f.left > 0 && meant(f, form));
    if (fault) fault.left -= 1;
    return fault;
  };

  const find = (id) => faults.find((f) => f.id === id);

  const clear = () => {
    for (const f of faults) {
      f.left = 0;
      f.release();
    }
  };

  return { add, take, find, clear };
}

// hold stops here until the test releases the fault.
export async function hold(fault) {
  fault.held += 1;
  fault.arrive();
  await fault.released;
}
