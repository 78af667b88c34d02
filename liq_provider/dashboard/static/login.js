import { chosenTheme, show } from "./theme.js";

show(chosenTheme());
// A wrong token comes back as /login?wrong.
if (location.search === "?wrong") document.getElementById("wrong").hidden = false;
