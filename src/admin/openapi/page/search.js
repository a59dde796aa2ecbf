// Shows only what holds every word that is searched for.
const field = document.getElementById("search");
const links = [...document.querySelectorAll("nav a[data-find]")];
const sections = [...document.querySelectorAll("main section")];
const texts = sections.map((section) => section.textContent.toLowerCase());

field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/);
  const hidden = new Set();
  sections.forEach((section, at) => {
    section.hidden = !words.every((word) => texts[at].includes(word));
    if (section.hidden) hidden.add(section.id);
  });
  for (const link of links) link.hidden = hidden.has(link.dataset.find);
});
