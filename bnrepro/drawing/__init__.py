"""How drawings look: `style` the colours, lines and sizes, `curves` what is drawn with them."""
