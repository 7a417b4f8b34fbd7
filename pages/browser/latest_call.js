// Streamlit calls a component anew whenever what it is told changes, also while an earlier call
// still waits for its scripts; what that one returned for cleaning up may then run after the later
// one has drawn, and would take the drawing away. So only the latest call of an element cleans up.
const calls = new WeakMap(); // an element of the page -> its latest call

// Notes a call; what it returns tells whether the call is still the latest of its element.
function called(element) {
  const call = {};
  calls.set(element, call);
  return () => calls.get(element) === call;
}
