"""What a forecaster is made of: its model, its data, its answers, its tests."""
