"""What a run is: tools, prices, running times, progress, failures and results; knows no organisation."""
