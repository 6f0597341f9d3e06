// Greeting says who is signed in. The hot reload test edits this file.
export function Greeting({ name }) {
  return <p id="state">Hello, {name}.</p>;
}
