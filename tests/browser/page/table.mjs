// What came of the steps: rows of name, "ok" or "failed", and why.

const PATIENCE_SECONDS = 10;

const text = (error) => (error instanceof Error ? `${error.name}: ${error.message}` : JSON.stringify(error) ?? "nothing");

function add(...cells) {
  const row = document.querySelector("tbody").insertRow();
  for (const cell of cells) row.insertCell().textContent = cell;
}

// Thrown by a step that failed, which has its row already.
class Told extends Error {}

export const table = {
  // What went wrong outside of a step.
  fail(error) {
    if (!(error instanceof Told)) add("script", "failed", text(error));
  },

  // Runs a step; if it fails the page ends, as the later ones build on it.
  async step(name, run) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${PATIENCE_SECONDS} s`)), PATIENCE_SECONDS * 1000);
    });
    try {
      const result = await Promise.race([run(), late]);
      add(name, "ok", "");
      return result;
    } catch (error) {
      add(name, "failed", text(error));
      throw new Told(name);
    } finally {
      clearTimeout(timer);
    }
  },
};
